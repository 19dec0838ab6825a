"""The S3 server of the bed: repository 2 lives there, over TLS, with faults on demand."""
import http.client
import json
import shutil
import ssl
from pathlib import Path

from certificates import Authority
from process import BedError, Process

BUCKET = "bed"
HERE = Path(__file__).parent
REQUEST_SECONDS = 10


class S3:
    def __init__(self, place, port, credentials):
        self.place = place
        self.port = port
        self.credentials = credentials
        self.signer = Authority(place)
        self.authority = self.signer.certificate
        self.fault_file = place.path("fault.json")
        self.process = Process(place, "s3")

    def create(self):
        program = HERE / "node_modules"
        if not program.is_dir():
            raise BedError("the S3 server is not installed: make deps")
        shutil.copytree(program, self.place.path("bin", "node_modules"), symlinks=True)
        shutil.copy(HERE / "s3.js", self.place.path("bin", "s3.js"))
        self.signer.create()
        self.create_certificate(days=30)

    def create_certificate(self, days):
        """A certificate for `localhost`; a running server takes it when it is started again."""
        self.signer.sign("s3", days)

    def launch(self):
        """Start without waiting; wait_ready() does."""
        program = self.place.path("bin", "s3.js")
        self.process.start(
            ["node", "--openssl-legacy-provider", program, self.port, self.place.path("s3"), BUCKET],
            {
                "S3_KEY": self.credentials.key,
                "S3_SECRET": self.credentials.secret,
                "S3_TLS_KEY": str(self.place.path("tls", "s3.key")),
                "S3_TLS_CERTIFICATE": str(self.place.path("tls", "s3.crt")),
                "S3_FAULT": str(self.fault_file),
            },
        )

    def wait_ready(self):
        self.process.wait_ready(self.answers, 60)

    def start(self):
        self.launch()
        self.wait_ready()

    def stop(self):
        self.process.stop()

    def answers(self):
        try:
            return self.anonymous_status() is not None
        except OSError:
            return False

    def anonymous_status(self, path=f"/{BUCKET}/?list-type=2"):
        """The HTTP status that a request without a signature gets."""
        context = ssl.create_default_context(cafile=self.authority)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=REQUEST_SECONDS, context=context)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def break_with(self, **fault):
        """Serve a fault until repair(); s3.js names the kinds: status, code, delay_ms, hang, drip, match."""
        self.place.write(self.fault_file.name, json.dumps(fault))

    def repair(self):
        self.fault_file.unlink(missing_ok=True)
