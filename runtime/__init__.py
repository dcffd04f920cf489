"""What every service stands on; it imports none of them."""
