"""What must not be readable in the template."""

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import Settings


class Secrets(Construct):
    """The key that signs list cursors, generated at deployment."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.cursor = secretsmanager.Secret(
            self,
            "Cursor",
            description="Signs the cursors of paged answers",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=settings.removal_policy,
        )
