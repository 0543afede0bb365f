"""Everything between an installed checkout and a system that can start; a second run finds it done and takes seconds."""

import hashlib

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import BaseCommand, call_command

from strategies.services import strategies_seed


class Command(BaseCommand):
    help = "Migrates the database, collects the static files, and seeds the demonstration."

    def add_arguments(self, parser):
        parser.add_argument("--no-demo", action="store_true", help="Leave the demonstration out.")

    def handle(self, *args, no_demo, **options):
        self.stdout.write("Preparing the database …")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
        strategies_seed()
        self._collect_static()
        if not no_demo:
            call_command("seed_demo")

    def _collect_static(self) -> None:
        """Collecting compresses every file, so it is left out while the sources are those of the last time."""
        stamp = settings.VAR_DIR / "static.digest"
        digest = static_digest()
        if settings.STATIC_ROOT.is_dir() and stamp.is_file() and stamp.read_text() == digest:
            return
        self.stdout.write("Collecting the static files …")
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(digest)


def static_digest() -> str:
    """Of the names, sizes and times of the files that would be collected."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            digest.update(f"{path} {storage.size(path)} {storage.get_modified_time(path)}\n".encode())
    return digest.hexdigest()
