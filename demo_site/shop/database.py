"""The shop's SQLite database: products, customers, orders, and the addresses for the newsletter."""

from __future__ import annotations

import secrets
import sqlite3
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo_site.shop.passwords import hash_password

SEED = Path(__file__).with_name("seed.toml")
# Without letters and digits that look alike, so that an order number can be read out on the phone.
ORDER_ALPHABET = "ACDEFGHJKMNPRTUVWXY34679"

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (
    sku TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, kind TEXT NOT NULL,
    cents INTEGER NOT NULL, summary TEXT NOT NULL, story TEXT NOT NULL, glaze TEXT NOT NULL,
    measures TEXT NOT NULL, position INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS customer (
    number TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, street TEXT NOT NULL,
    postcode TEXT NOT NULL, city TEXT NOT NULL, country TEXT NOT NULL, password TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS purchase (
    number TEXT PRIMARY KEY, customer TEXT REFERENCES customer, placed TEXT NOT NULL,
    name TEXT NOT NULL, email TEXT NOT NULL, street TEXT NOT NULL, postcode TEXT NOT NULL,
    city TEXT NOT NULL, country TEXT NOT NULL, shipping_cents INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS purchase_line (
    purchase TEXT NOT NULL REFERENCES purchase, sku TEXT NOT NULL, name TEXT NOT NULL,
    quantity INTEGER NOT NULL, cents INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS subscriber (email TEXT PRIMARY KEY);
"""
INSERT_PRODUCT = """
INSERT INTO product VALUES
    (:sku, :slug, :name, :kind, :cents, :summary, :story, :glaze, :measures, :position)
"""
INSERT_CUSTOMER = """
INSERT INTO customer VALUES (:number, :name, :email, :street, :postcode, :city, :country, :password)
"""
INSERT_PURCHASE = """
INSERT INTO purchase VALUES
    (:number, :customer, :placed, :name, :email, :street, :postcode, :city, :country, :shipping_cents)
"""
INSERT_LINE = "INSERT INTO purchase_line VALUES (:purchase, :sku, :name, :quantity, :cents)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Describe one article."""

    sku: str
    slug: str
    name: str
    kind: str
    cents: int
    summary: str
    story: str
    glaze: str
    measures: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Hold the name and address for a parcel."""

    name: str
    email: str
    street: str
    postcode: str
    city: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Describe one customer."""

    number: str
    address: Address
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Hold one article of a cart or an order, at the price of the database."""

    sku: str
    name: str
    quantity: int
    cents: int

    @property
    def total_cents(self) -> int:
        """Return the line's sum."""
        return self.quantity * self.cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Describe one order as it was placed."""

    number: str
    customer: str | None
    placed: datetime
    address: Address
    shipping_cents: int
    lines: tuple[Line, ...]

    @property
    def total_cents(self) -> int:
        """Return what was paid."""
        return self.shipping_cents + sum(line.total_cents for line in self.lines)


class Database:
    """Read and write the shop's data in one SQLite file, which gets products and customers when it is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.executescript(SCHEMA)
            if not connection.execute("SELECT 1 FROM product LIMIT 1").fetchone():
                _seed(connection)

    def products(self, kind: str = "") -> list[Product]:
        """List the articles in the catalogue's order, all or of one kind."""
        rows = self._rows("SELECT * FROM product WHERE :kind IN ('', kind) ORDER BY position", {"kind": kind})
        return [Product(**row) for row in rows]

    def product(self, slug: str) -> Product | None:
        """Find an article by the name in its address."""
        rows = self._rows("SELECT * FROM product WHERE slug = :slug", {"slug": slug})
        return Product(**rows[0]) if rows else None

    def by_sku(self, skus: Sequence[str]) -> dict[str, Product]:
        """Find articles by number; unknown ones are left out."""
        wanted = set(skus)
        return {product.sku: product for product in self.products() if product.sku in wanted}

    def customer(self, number: str) -> Customer | None:
        """Find a customer by number."""
        rows = self._rows("SELECT * FROM customer WHERE number = :number", {"number": number})
        if not rows:
            return None
        return Customer(number=number, address=_address(rows[0]), password=rows[0]["password"])

    def order(self, number: str) -> Order | None:
        """Find an order by number."""
        rows = self._rows("SELECT * FROM purchase WHERE number = :number", {"number": number})
        return self._order(rows[0]) if rows else None

    def orders_of(self, customer: str) -> list[Order]:
        """List a customer's orders, newest first."""
        rows = self._rows(
            "SELECT * FROM purchase WHERE customer = :customer ORDER BY placed DESC", {"customer": customer}
        )
        return [self._order(row) for row in rows]

    def place_order(
        self, *, customer: str | None, address: Address, lines: Sequence[Line], shipping_cents: int
    ) -> str:
        """Store an order and return its new number."""
        number = "KK-" + "".join(secrets.choice(ORDER_ALPHABET) for _ in range(8))
        order = Order(
            number=number,
            customer=customer,
            placed=datetime.now(UTC).replace(microsecond=0),
            address=address,
            shipping_cents=shipping_cents,
            lines=tuple(lines),
        )
        with self._connection() as connection:
            _insert_order(connection, order)
        return number

    def subscribe(self, email: str) -> None:
        """Add an address to the newsletter."""
        with self._connection() as connection:
            connection.execute("INSERT OR IGNORE INTO subscriber VALUES (?)", (email,))

    def _order(self, row: dict[str, Any]) -> Order:
        lines = self._rows(
            "SELECT sku, name, quantity, cents FROM purchase_line WHERE purchase = :number ORDER BY rowid",
            {"number": row["number"]},
        )
        return Order(
            number=row["number"],
            customer=row["customer"],
            placed=datetime.fromisoformat(row["placed"]),
            address=_address(row),
            shipping_cents=row["shipping_cents"],
            lines=tuple(Line(**line) for line in lines),
        )

    def _rows(self, query: str, values: dict[str, str]) -> list[dict[str, Any]]:
        with self._connection() as connection:
            return [dict(row) for row in connection.execute(query, values)]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path)
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def _address(row: dict[str, Any]) -> Address:
    return Address(
        name=row["name"],
        email=row["email"],
        street=row["street"],
        postcode=row["postcode"],
        city=row["city"],
        country=row["country"],
    )


def _seed(connection: sqlite3.Connection) -> None:
    seed = tomllib.loads(SEED.read_text("utf-8"))
    products = [{**product, "position": place} for place, product in enumerate(seed["products"])]
    connection.executemany(INSERT_PRODUCT, products)
    articles = {product["sku"]: product for product in products}
    for customer in seed["customers"]:
        row = {**customer, "password": hash_password(customer["password"])}
        connection.execute(INSERT_CUSTOMER, row)
        for past in customer["orders"]:
            lines = tuple(
                Line(sku=sku, name=articles[sku]["name"], quantity=quantity, cents=articles[sku]["cents"])
                for sku, quantity in past["lines"].items()
            )
            order = Order(
                number=past["number"],
                customer=customer["number"],
                placed=past["placed"],
                address=_address(customer),
                shipping_cents=past["shipping_cents"],
                lines=lines,
            )
            _insert_order(connection, order)


def _insert_order(connection: sqlite3.Connection, order: Order) -> None:
    address = order.address
    row = {
        "number": order.number,
        "customer": order.customer,
        "placed": order.placed.isoformat(),
        "name": address.name,
        "email": address.email,
        "street": address.street,
        "postcode": address.postcode,
        "city": address.city,
        "country": address.country,
        "shipping_cents": order.shipping_cents,
    }
    connection.execute(INSERT_PURCHASE, row)
    for line in order.lines:
        values = {
            "purchase": order.number,
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "cents": line.cents,
        }
        connection.execute(INSERT_LINE, values)
