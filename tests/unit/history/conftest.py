from erasure_rooms import forgetting

__all__ = ["forgetting"]
