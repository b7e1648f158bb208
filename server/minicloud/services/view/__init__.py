"""What services answer: frozen dataclasses, never table rows. One noun a file."""
