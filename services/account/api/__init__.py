"""From the wire to plain values and back."""
