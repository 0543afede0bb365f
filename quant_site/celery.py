"""The queue's application: `celery -A quant_site.celery worker` and `beat`."""

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import import_modules, worker_init, worker_process_init
from django.core.exceptions import ImproperlyConfigured

from quant_site import filequeue  # noqa: F401 (registers the scheme of the embedded queue)
from quant_site.checks import configuration_require
from quant_site.core.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quant_site.settings")
# Celery would run all of Django's checks at each start and drop what they found.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
# It warns every root of pickled messages; this queue takes JSON only, and in a container everybody is root.
warnings.filterwarnings("ignore", category=SecurityWarning)


@import_modules.connect  # the first thing that worker and beat do
def _refuse_misconfiguration(**_) -> None:
    try:
        configuration_require()
    except ImproperlyConfigured as error:  # a signal swallows errors, but not an exit
        raise SystemExit(f"The configuration cannot be used.\n{error}") from error


app = Celery("quant_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["quant_site"], related_name="schedules")
app.autodiscover_tasks(["quant_site"], related_name="sending")  # no task: what a worker does before its first
app.set_default()  # for the threads of a web server too, not only for the thread that imported this
app.worker_pid = None  # known in the worker, and in the children it forks


@worker_init.connect
def _remember_the_worker(**_) -> None:
    app.worker_pid = os.getpid()


@worker_process_init.connect
def _die_with_the_worker(**_) -> None:
    die_with_parent(app.worker_pid)
