"""What the HTML pages share: their style, and pictures with skeletons over them."""
