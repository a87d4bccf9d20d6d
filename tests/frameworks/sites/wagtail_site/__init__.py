"""A small Wagtail site as its users write one: pages with text, an embed and a picture, a form, a search."""
