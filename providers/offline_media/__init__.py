"""How the offline stand-in draws, films, speaks and changes what it is given. Nothing here knows of money."""
