"""What Lymer says about itself."""
