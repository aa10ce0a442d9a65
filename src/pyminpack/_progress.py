"""Progress."""
class Progress: pass
