"""Checks which signatures are accepted, and that the SDK judges how they are written."""

import base64
import email.utils
import json
import time
from pathlib import Path

from oci.data_science import DataScienceClient

from rig import DEPLOYMENT, Checks, Raw, deployment


class Signatures(Checks):
    def setUp(self):
        super().setUp()
        self.control("POST", "/deployments", **deployment())

    def last(self):
        return self.control("GET", "/requests")[-1]

    def test_both_kinds_of_keys_are_accepted_and_signed_alike(self):
        for principal in (True, False):
            with self.subTest(principal=principal):
                client = self.emulator.client(DataScienceClient, "datascience", principal)
                client.get_model_deployment(DEPLOYMENT)
                self.assertIs(self.last()["sdk_equal"], True)
                details = {"freeformTags": {"a": "ü"}}
                client.update_model_deployment(DEPLOYMENT, details)
                self.assertIs(self.last()["sdk_equal"], True)
                self.control("POST", "/finish", id=DEPLOYMENT)

    def test_a_signature_by_hand_is_the_sdks(self):
        body = b'{"freeformTags": {}}'
        for request in (Raw(self.emulator), Raw(self.emulator, "PUT", body=body)):
            self.assertEqual(request.sign().send()[0], 200)
            self.assertIs(self.last()["sdk_equal"], True)

    def test_what_is_valid_but_written_otherwise_is_noted(self):
        turned = Raw(self.emulator)
        turned.names.reverse()
        dated = Raw(self.emulator)
        dated.headers["x-date"] = dated.headers.pop("date")
        dated.names[0] = "x-date"
        more = Raw(self.emulator)
        more.headers["opc-request-id"] = "A"
        more.names.append("opc-request-id")
        spaced = Raw(self.emulator)
        spaced.template = spaced.template.replace(",", ", ")
        for name, request in (
            ("another order", turned),
            ("x-date", dated),
            ("one more header", more),
            ("other spaces", spaced),
        ):
            with self.subTest(name):
                self.assertEqual(request.sign().send()[0], 200)
                self.assertIs(self.last()["sdk_equal"], False)

    def test_what_is_wrong_is_refused(self):
        def unsigned(request):
            request.sign()
            del request.headers["authorization"]

        def of_another_scheme(request):
            request.template = "Bearer {signature}"

        def of_another_algorithm(request):
            request.template = request.template.replace("rsa-sha256", "rsa-sha512")

        def of_another_version(request):
            request.template = request.template.replace('version="1"', 'version="2"')

        def by_a_stranger(request):
            request.key_id = "ST$stranger"

        def by_another_key(request):
            request.key = Path(self.emulator["config"]).with_name("api_key.pem").read_bytes()

        def old(request):
            request.headers["date"] = email.utils.formatdate(time.time() - 310, usegmt=True)

        def early(request):
            request.headers["date"] = email.utils.formatdate(time.time() + 310, usegmt=True)

        def undated(request):
            request.headers["date"] = "today"

        def without(name):
            def spoil(request):
                request.names.remove(name)

            spoil.__name__ = f"without {name}"
            return spoil

        def not_sent(request):
            request.sign()
            del request.headers["content-type"]

        def with_another_body(request):
            request.sign()
            request.body = request.body.replace(b"A", b"B")

        def for_another_path(request):
            request.sign()
            request.path += "?limit=1"

        def garbled(request):
            request.template = request.template.replace("{signature}", "AAAA")

        for spoil in (
            unsigned,
            of_another_scheme,
            of_another_algorithm,
            of_another_version,
            by_a_stranger,
            by_another_key,
            old,
            early,
            undated,
            without("date"),
            without("host"),
            without("(request-target)"),
            without("content-length"),
            without("content-type"),
            without("x-content-sha256"),
            not_sent,
            with_another_body,
            for_another_path,
            garbled,
        ):
            with self.subTest(spoil.__name__):
                request = Raw(self.emulator, "PUT", body=b'{"displayName": "A"}')
                spoil(request)
                if not {"authorization"} & set(request.headers) and spoil is not unsigned:
                    request.sign()
                status, _, body = request.send()
                self.assertEqual((status, body["code"]), (401, "NotAuthenticated"))
                self.assertEqual(self.last()["refused"], body["message"])
                self.assertIsNone(self.last()["sdk_equal"])
        document = self.control("GET", "/state")["deployments"][DEPLOYMENT]["document"]
        self.assertEqual(document["displayName"], "demo")

    def test_a_date_within_five_minutes_is_good(self):
        for seconds in (-290, 290):
            request = Raw(self.emulator)
            request.headers["date"] = email.utils.formatdate(time.time() + seconds, usegmt=True)
            self.assertEqual(request.sign().send()[0], 200)

    def test_an_old_token_is_refused_after_a_rotation(self):
        old = Raw(self.emulator)
        self.assertEqual(old.sign().send()[0], 200)
        self.control("POST", "/rotate")
        self.assertEqual(old.sign().send()[0], 401)
        self.assertEqual(Raw(self.emulator).sign().send()[0], 200)

    def test_files_may_stay_old_until_someone_is_refused(self):
        self.control("POST", "/rotate", write="on_refusal")
        self.assertEqual(Raw(self.emulator).sign().send()[0], 401)
        self.assertEqual(Raw(self.emulator).sign().send()[0], 200)

    def test_a_token_expires(self):
        self.control("POST", "/rotate", seconds=-1)
        self.assertEqual(Raw(self.emulator).sign().send()[0], 401)
        self.control("POST", "/rotate", seconds=100)
        token = Path(self.emulator["rpst"]).read_text().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(token + "=="))
        self.assertTrue(90 < claims["exp"] - time.time() <= 100)
        self.assertEqual(claims["res_tenant"], self.emulator["tenancy"])
        self.assertEqual(claims["res_compartment"], self.emulator["compartment"])
        self.assertEqual(Raw(self.emulator).sign().send()[0], 200)

    def test_the_sdk_gets_over_a_rotation_by_itself(self):
        client = self.emulator.client(DataScienceClient, "datascience", principal=True)
        self.control("POST", "/rotate")
        self.assertEqual(client.get_model_deployment(DEPLOYMENT).status, 200)

    def test_a_request_id_comes_back(self):
        request = Raw(self.emulator)
        request.headers["opc-request-id"] = "ABC"
        self.assertEqual(request.sign().send()[1]["opc-request-id"], "ABC")
        self.assertEqual(len(Raw(self.emulator).sign().send()[1]["opc-request-id"]), 32)
