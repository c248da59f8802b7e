"""Secrets. Their values are not in the template."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import Settings


class Secrets(Construct):
    """Keys and passwords, generated at deployment.

    `cursor` signs list cursors, `visitor` is the key of visitors' hashes. `origin` is None unless
    the stage has a distribution. `receipt` is the key that signs receipts, or None.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._removal_policy = RemovalPolicy[settings.removal_policy]
        self.cursor = self._generate("Cursor", "Signs the cursors of paged responses")
        self.visitor = self._generate("Visitor", "Key of the hashes by which visitors are counted")
        self.origin = (
            self._generate("Origin", "Marks the requests that CloudFront sends to the API")
            if settings.cdn is not None
            else None
        )

        self.receipt = self._receipt_key(settings.receipt_key)

    def _receipt_key(self, number: int) -> kms.Key | None:
        """A key that never leaves KMS. It cannot be rotated in place, so each has a number.

        An earlier key stays in the account, and its public key in the deletions table, so receipts
        that it signed can still be verified.
        """
        if not number:
            return None
        return kms.Key(
            self,
            f"Receipt{number}",
            description=f"Signs receipts of erasures ({number})",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=self._removal_policy,
        )

    def _generate(self, construct_id: str, description: str) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            construct_id,
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=self._removal_policy,
        )
