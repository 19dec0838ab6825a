"""An authority of the bed's own, and the certificates it signs, in BED/tls."""

EXTENSIONS = """
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth, clientAuth
authorityKeyIdentifier = keyid
"""
# Python 3.13 and later refuse an authority that does not say it is one.
AUTHORITY = ["-addext", "keyUsage = critical, keyCertSign, cRLSign"]
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    def __init__(self, place, name="ca"):
        self.place = place
        self.name = name
        self.certificate = self.file("crt")

    def file(self, ending, name=None):
        return self.place.path("tls", f"{name or self.name}.{ending}")

    def create(self):
        self.place.run(
            ["openssl", "req", "-x509", *NEW_KEY, "-days", 365, "-subj", f"/CN=the bed's {self.name}", *AUTHORITY]
            + ["-keyout", self.file("key"), "-out", self.certificate]
        )

    def sign(self, name, days=30):
        """tls/NAME.key and tls/NAME.crt, for a server on `localhost` and for its clients."""
        extensions = self.place.write("tls/extensions", EXTENSIONS)
        request = self.file("csr", name)
        self.place.run(
            ["openssl", "req", *NEW_KEY, "-subj", "/CN=localhost", "-keyout", self.file("key", name), "-out", request]
        )
        self.place.run(
            ["openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.file("key")]
            + ["-CAcreateserial", "-days", days, "-extfile", extensions, "-out", self.file("crt", name)]
        )
