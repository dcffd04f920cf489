"""From the wire to plain values and back; nothing is decided here but who may ask."""
