"""Arrays to pictures: colour maps, overlays, contours, figures. Knows no model."""
