"""What Certwright's tests share: builders of objects, fakes, contract kits' helpers."""
