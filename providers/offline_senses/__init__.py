"""How the offline stand-in looks, listens and reads: from measures and from files' own records."""
