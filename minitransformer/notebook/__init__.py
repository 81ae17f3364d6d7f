"""What a page of the course uses: pictures, explorers, predictions."""
