"""The rows of the checklist, in their order."""

from ainews_site.infra.schema import explain
from ainews_site.production import database, proofs, secrets, serving
from ainews_site.production.row import Outcome, Row, not_done

ROWS = (
    Row("environment", "Environment", secrets.environment, "manage.py check --deploy"),
    Row("database", "Database migrated", database.migrated, "manage.py migrate --check"),
    Row("indexes", "Indexes", database.indexed, "psql -c 'ANALYZE VERBOSE'"),
    Row("secrets", "Secrets", secrets.secrets, "stat -c '%a %n' .env var/secret_key"),
    Row("cors", "Cross-origin requests", secrets.origins, "curl -I -H 'Origin: https://x' URL"),
    Row("limits", "Rate limits", secrets.limits, "python benchmarks/costly.py postgres"),
    Row("monitoring", "Monitoring", serving.monitoring, "curl -I SITE_URL/metrics"),
    Row("backups", "Backups", database.backed_up, "manage.py backup --keep 14"),
    Row("tls", "TLS", serving.tls, "openssl s_client -connect HOST:443"),
    Row("static", "Static files and CDN", serving.static_files, "curl -I SITE_URL/static/…"),
    Row("health", "Health checks", serving.health, "curl SITE_URL/health/ready"),
    Row("stop", "Graceful stop", proofs.stops_gracefully, "make chaos"),
    Row("load", "Load test", proofs.load_tested, "make load"),
    Row("drill", "Disaster recovery", proofs.recovery_drilled, "make drill"),
)


def run_row(row: Row) -> Outcome:
    """Return what the check of a row finds. Its own failure is a row that is not done."""
    try:
        return row.check()
    except Exception as error:  # noqa: BLE001 - any error is the result of the check
        if problem := explain(error):
            return not_done("It was not checked.", problem + ".")
        return not_done(f"The check failed ({error}).", f"Run {row.proof}.")
