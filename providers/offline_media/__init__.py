"""How the offline stand-in draws, films and speaks. Nothing here knows of requests, tickets or money."""
