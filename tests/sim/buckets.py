"""A bucket of permits that fills at a steady rate, as Amazon and Shopify limit their callers.

Owns: what is left of one bucket by the simulator's clock. The caller holds a lock.
"""


class Bucket:
    def __init__(self, clock, rate, size):
        self._clock = clock
        self.rate = rate  # permits a second
        self.size = size
        self._left = float(size)
        self._at = clock.now()

    def left(self):
        now = self._clock.now()
        self._left = min(float(self.size), self._left + (now - self._at) * self.rate)
        self._at = now
        return self._left

    def take(self, permits=1):
        """False, and nothing taken, when it does not hold as many."""
        if self.left() + 1e-9 < permits:
            return False
        self._left -= permits
        return True

    def give_back(self, permits):
        self._left = min(float(self.size), self.left() + permits)

    def wait(self, permits=1):
        """Seconds until it holds as many."""
        return max(0.0, (permits - self.left()) / self.rate)
