"""Who gets an answer from a server behind a web configuration: curl and a real Prometheus ask."""
import subprocess
import time

import pytest
from guarded import Guarded, Scraper, Site
from process import wait_until

# bcrypt: "secret" at cost 5, the same at cost 12 (about 0.2 s of work), "rotated" at cost 5.
SECRET = "$2y$05$s6ejqSAOpiGyt8pYgJyD5O7sKpYFbGEf.eM4aqbaEzxMtsoVFWyZ2"
SLOW_SECRET = "$2y$12$aSoDDT/jWPwYFXtt.JsGpOAlvdzHQIAxuqLYwIO3Vvu1t82Zjybza"
ROTATED = "$2y$05$bCf9fw2h8AdSQpoj/nKzZOyHDCLD5hRU9vh7Iw.IgnqL9aJZNrSIC"

TLS = "tls_server_config:\n  cert_file: tls/server.crt\n  key_file: tls/server.key\n"
USERS = f"basic_auth_users:\n  prometheus: {SECRET}\n"
SLOW_USERS = f"basic_auth_users:\n  prometheus: {SLOW_SECRET}\n"
RIGHT = ("-u", "prometheus:secret")
WRONG = ("-u", "prometheus:wrong")
UNKNOWN = ("-u", "nobody:wrong")


def clients(kind, authorities=True):
    file = "  client_ca_file: tls/ca.crt\n" if authorities else ""
    return f"{TLS}  client_auth_type: {kind}\n{file}"


@pytest.fixture(scope="module")
def site():
    site = Site()
    try:
        site.create()
        yield site
    finally:
        site.remove()


@pytest.fixture
def guard(site, program_path):
    """guard(web configuration): an exporter behind it; any number, each stopped at the end."""
    started = []

    def start(text):
        exporter = Guarded(site, program_path, f"guarded-{time.monotonic_ns()}")
        started.append(exporter)
        exporter.start(text)
        return exporter

    yield start
    for exporter in started:
        exporter.stop()


def with_certificate(site, name):
    return ("--cert", site.tls(f"{name}.crt"), "--key", site.tls(f"{name}.key"))


# Who gets in.


def test_an_empty_file_lets_everybody_in(guard):
    exporter = guard("")
    assert exporter.http() == "200"
    assert exporter.https() == "refused"


def test_with_tls_nobody_is_served_without(guard):
    exporter = guard(TLS)
    assert exporter.https() == "200"
    assert exporter.http() == "refused"


def test_a_client_that_does_not_trust_the_authority_does_not_stay(site, guard):
    exporter = guard(TLS)
    url = f"https://localhost:{exporter.port}/"
    assert site.curl(url, "--cacert", site.strangers.certificate) == "refused"
    assert site.curl(url, "--cacert", site.authority.certificate) == "200"


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing-here"])
def test_a_password_guards_every_path(guard, path):
    exporter = guard(USERS)
    assert exporter.http(path=path) == "401"
    assert exporter.http(*WRONG, path=path) == "401"
    assert exporter.http(*UNKNOWN, path=path) == "401"
    assert exporter.http(*RIGHT, path=path) == ("404" if "nothing" in path else "200")


def test_tls_and_a_password_go_together(guard):
    exporter = guard(TLS + USERS)
    assert exporter.https() == "401"
    assert exporter.https(*WRONG) == "401"
    assert exporter.https(*RIGHT) == "200"


@pytest.mark.parametrize(
    "kind, none, stranger, client",
    [
        ("RequestClientCert", "200", "200", "200"),
        ("RequireAnyClientCert", "refused", "200", "200"),
        ("VerifyClientCertIfGiven", "200", "refused", "200"),
        ("RequireAndVerifyClientCert", "refused", "refused", "200"),
    ],
)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_client_certificates(site, guard, kind, none, stranger, client, version):
    exporter = guard(clients(kind))
    only = (f"--tlsv{version}", "--tls-max", version)
    assert exporter.https(*only) == none
    assert exporter.https(*only, *with_certificate(site, "stranger")) == stranger
    assert exporter.https(*only, *with_certificate(site, "client")) == client


def test_only_clients_with_an_allowed_name_get_in(site, guard):
    wanted = clients("RequireAndVerifyClientCert")
    exporter = guard(wanted + "  client_allowed_sans: [localhost]\n")
    assert exporter.https(*with_certificate(site, "client")) == "200"
    exporter.reload(wanted + "  client_allowed_sans: [prometheus.example]\n")
    assert exporter.https(*with_certificate(site, "client")) == "refused"


@pytest.mark.parametrize("version, old, new", [("TLS12", "200", "refused"), ("TLS13", "refused", "200")])
def test_only_the_versions_between_are_spoken(guard, version, old, new):
    exporter = guard(f"{TLS}  min_version: {version}\n  max_version: {version}\n")
    assert exporter.https("--tlsv1.2", "--tls-max", "1.2") == old
    assert exporter.https("--tlsv1.3") == new


def test_the_headers_are_in_every_answer_that_of_a_refusal_too(site, guard):
    headers = "{X-Frame-Options: deny, Content-Security-Policy: \"default-src 'self'\"}"
    exporter = guard(f"{USERS}http_server_config: {{headers: {headers}}}\n")
    for arguments in ([], WRONG, RIGHT):
        words = ["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-D", "-", *arguments]
        head = site.place.run([*words, f"http://localhost:{exporter.port}/"]).stdout
        assert "\nX-Frame-Options: deny\n" in head
        assert head.count("Content-Security-Policy: ") == 1
        assert "\nContent-Security-Policy: default-src 'self'\n" in head
        assert ("WWW-Authenticate: Basic" in head) == (" 401 " in head.splitlines()[0])


def test_prometheus_gets_in_with_what_it_must_have(site, guard):
    tls, basic = guard(TLS), guard(USERS)
    both, certificate = guard(TLS + USERS), guard(clients("RequireAndVerifyClientCert"))
    trust = f"ca_file: {site.authority.certificate}"
    secure = ["scheme: https", f"tls_config: {{{trust}}}"]
    known = f"cert_file: {site.tls('client.crt')}, key_file: {site.tls('client.key')}"
    unknown = f"cert_file: {site.tls('stranger.crt')}, key_file: {site.tls('stranger.key')}"
    user, wrong = ("basic_auth: {username: prometheus, password: %s}" % word for word in ("secret", "wrong"))
    scraper = Scraper(site)
    jobs = {
        "tls": (tls, secure),
        "basic": (basic, [user]),
        "tls-and-basic": (both, [*secure, user]),
        "certificate": (certificate, ["scheme: https", f"tls_config: {{{trust}, {known}}}"]),
        "no-tls": (tls, []),
        "no-trust": (tls, ["scheme: https"]),
        "no-password": (both, secure),
        "wrong-password": (both, [*secure, wrong]),
        "no-certificate": (certificate, secure),
        "wrong-certificate": (certificate, ["scheme: https", f"tls_config: {{{trust}, {unknown}}}"]),
    }
    expected = {name: not name.startswith(("no-", "wrong-")) for name in jobs}
    scraper.start(jobs)
    try:
        wait_until(lambda: scraper.up() == expected, 60, "not every scrape ends as it should")
    finally:
        scraper.stop()


# Passwords cost work.


def seconds(exporter, *arguments):
    begun = time.monotonic()
    assert exporter.http(*arguments) == "401"
    return time.monotonic() - begun


def test_an_unknown_name_is_refused_after_the_same_work_as_a_wrong_password(guard):
    exporter = guard(SLOW_USERS)
    wrong = min(seconds(exporter, *WRONG) for _ in range(3))
    unknown = min(seconds(exporter, *UNKNOWN) for _ in range(3))
    none = min(seconds(exporter) for _ in range(3))
    assert none < wrong / 2, "the hash is too cheap for this test"
    assert unknown > wrong / 2


def test_who_is_known_does_not_wait_for_the_wrong_passwords_of_others(site, guard):
    exporter = guard(SLOW_USERS)
    assert exporter.http(*RIGHT) == "200"
    # One process of many requests on end: 4 at a time, each with about 0.2 s of work.
    flood = ["curl", "-sS", "--noproxy", "*", "--parallel", "--parallel-max", "4", *WRONG]
    flood += [f"http://localhost:{exporter.port}/?[1-40]"]
    words = [str(word) for word in flood]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=site.place.environment())
    try:
        answers = [exporter.http(*RIGHT) for _ in range(5)]
        assert process.poll() is None, "the flood is over: the answers waited for it"
    finally:
        process.kill()
        process.wait()
    assert answers == ["200"] * 5


def test_no_password_and_no_hash_is_logged(guard):
    exporter = guard(TLS + USERS)
    exporter.https(*RIGHT)
    exporter.https(*WRONG)
    exporter.reload(TLS + "basic_auth_users: {prometheus: plain-text}\n")
    for word in ("secret", "wrong", "plain-text", SECRET[7:]):
        assert word not in exporter.log


# While it runs.


def test_users_are_rotated_without_a_restart(guard):
    exporter = guard(USERS)
    assert exporter.http(*RIGHT) == "200"
    exporter.configure(f"basic_auth_users: {{prometheus: {ROTATED}}}\n")
    exporter.wait_for_log("web configuration reloaded")  # by itself
    assert exporter.http(*RIGHT) == "401"
    assert exporter.http("-u", "prometheus:rotated") == "200"


def served_serial(site, exporter):
    client = ["openssl", "s_client", "-connect", f"localhost:{exporter.port}", "-CAfile", site.authority.certificate]
    shown = site.place.run(client).stdout
    certificate = site.place.write("served.crt", shown)
    return site.place.run(["openssl", "x509", "-noout", "-serial", "-in", certificate]).stdout


def test_a_certificate_is_rotated_without_a_restart(site, guard):
    site.authority.sign("rotating")
    exporter = guard(TLS.replace("server.", "rotating."))
    before = served_serial(site, exporter)
    site.authority.sign("rotating")
    exporter.wait_for_log("web configuration reloaded")  # by itself; of a half-written pair the old one is kept
    wait_until(lambda: served_serial(site, exporter) != before, 30, "the new certificate is not served")
    assert exporter.https() == "200"


def test_a_wrong_file_leaves_the_one_before_in_force_and_the_log_says_so(guard):
    exporter = guard(USERS)
    exporter.reload("basic_auth_user: {}\n")
    assert 'msg="web configuration not reloaded, the one before stays"' in exporter.log
    assert 'basic_auth_user: unknown key; did you mean \\"basic_auth_users\\"?' in exporter.log
    assert exporter.http() == "401"
    assert exporter.http(*RIGHT) == "200"
    metrics = exporter.page("/metrics", *RIGHT)
    assert "\npgbackup_config_last_reload_successful 0\n" in metrics
    exporter.reload(USERS)
    assert "web configuration reloaded" in exporter.log


def test_a_certificate_that_does_not_fit_its_key_leaves_the_one_before(site, guard):
    exporter = guard(TLS)
    exporter.reload(TLS.replace("server.key", "client.key"))
    key, certificate = site.tls("client.key"), site.tls("server.crt")
    assert f"the key in {key} does not belong to the certificate in {certificate}" in exporter.log
    assert exporter.https() == "200"


def test_tls_is_not_switched_while_running(guard):
    plain, secure = guard(""), guard(TLS)
    plain.reload(TLS)
    assert "TLS is asked for, but off now: that cannot be changed while running, so restart" in plain.log
    assert plain.http() == "200"
    secure.reload("")
    assert "TLS is not asked for any more, but on now: that cannot be changed" in secure.log
    assert secure.https() == "200"


# What is refused.


@pytest.mark.parametrize(
    "text, error",
    [
        (f"{TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "tls_server_config.cipher_suites: is not supported"),
        (f"{TLS}  curve_preferences: [CurveP256]\n", "tls_server_config.curve_preferences: is not supported"),
        ("http_server_config: {http2: true}\n", "http_server_config.http2: is not supported"),
        ("rate_limit: {interval: 1s, burst: 20}\n", "rate_limit: is not supported"),
        (clients("RequireAndVerifyClientCert", authorities=False), "RequireAndVerifyClientCert needs a client_ca_file"),
        (TLS.replace("server.crt", "none.crt"), "none.crt: No such file or directory"),
        (TLS.replace("server.key", "client.key"), "does not belong to the certificate"),
        ("basic_auth_users: {prometheus: secret}\n", "basic_auth_users.prometheus: the value is not a bcrypt hash"),
        ("http_server_config: {headers: {Server: x}}\n", "http_server_config.headers.Server: unknown key"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(site, program_path, text, error):
    exporter = Guarded(site, program_path, "refused")
    checked = exporter.check_config(text)
    assert checked.returncode == 2
    assert error in checked.stderr
    served = site.place.run(exporter.words(), check=False, timeout=20)
    assert served.returncode == 2
    assert error in served.stderr


def test_a_key_that_its_user_may_not_read_is_refused_by_name(site, program_path):
    site.authority.sign("closed")
    site.tls("closed.key").chmod(0)
    checked = Guarded(site, program_path, "refused").check_config(TLS.replace("server.", "closed."))
    assert checked.returncode == 2
    assert f"cannot open {site.tls('closed.key')}: Permission denied" in checked.stderr


def test_an_expired_certificate_is_refused_with_its_time(site, program_path):
    site.authority.sign("expired", days=-1)
    checked = Guarded(site, program_path, "refused").check_config(TLS.replace("server.", "expired."))
    assert checked.returncode == 2
    assert f"the certificate in {site.tls('expired.crt')} has expired at 2" in checked.stderr


def test_a_sound_file_passes_the_check(site, program_path):
    exporter = Guarded(site, program_path, "sound")
    checked = exporter.check_config(clients("RequireAndVerifyClientCert") + USERS)
    assert checked.returncode == 0, checked.stderr
    assert str(exporter.file) in checked.stdout
