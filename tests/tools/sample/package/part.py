"""What the pages of the sample course are said to be made with."""

PART = 1
