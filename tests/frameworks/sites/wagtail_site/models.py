"""A page of text, film and picture, and a page with a form."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from modelcluster.fields import ParentalKey
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.contrib.forms.models import AbstractEmailForm, AbstractFormField
from wagtail.embeds.blocks import EmbedBlock
from wagtail.fields import RichTextField, StreamField
from wagtail.images.blocks import ImageChooserBlock
from wagtail.models import Page


class ArticlePage(Page):
    """Hold a text, with films and pictures."""

    intro = RichTextField(blank=True)
    body = StreamField([("film", EmbedBlock()), ("picture", ImageChooserBlock())], blank=True)
    content_panels: ClassVar = [*Page.content_panels, FieldPanel("intro"), FieldPanel("body")]
    template = "article.html"


class FormField(AbstractFormField):
    """A field of a form page."""

    page = ParentalKey("FormPage", on_delete=models.CASCADE, related_name="form_fields")


class FormPage(AbstractEmailForm):
    """Ask something."""

    content_panels: ClassVar = [*AbstractEmailForm.content_panels, InlinePanel("form_fields", label="Fields")]
    template, landing_page_template = "form.html", "thanks.html"
