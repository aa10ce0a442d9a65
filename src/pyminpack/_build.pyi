version: str
config: dict[str, str]
