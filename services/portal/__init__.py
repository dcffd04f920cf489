"""The portal: the only part of Accord that people see."""
