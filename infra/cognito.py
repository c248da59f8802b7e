"""The user pool: users of the console and other first-party clients."""

from aws_cdk import Duration
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.settings import Settings


class Users(Construct):
    """A user pool and its one client. Membership in a workspace is kept in `access`, not here."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=f"unlink-{settings.stage}",
            # Operators add users: an account without a workspace could do nothing.
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            password_policy=cognito.PasswordPolicy(
                min_length=12, temp_password_validity=Duration.days(7)
            ),
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            deletion_protection=settings.deletion_protection,
            removal_policy=settings.removal_policy,
        )
        self.client = self.pool.add_client(
            "Client",
            # Clients run in browsers and on phones, where nothing stays secret.
            generate_secret=False,
            auth_flows=cognito.AuthFlow(
                user_srp=True,
                # Needs AWS credentials with the right to it: for operators' scripts and tests.
                admin_user_password=True,
            ),
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            # A token cannot be revoked, so its lifetime is short.
            access_token_validity=Duration.hours(1),
            id_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.days(30),
        )

    @property
    def issuer(self) -> str:
        """The `iss` of the pool's tokens; its keys are under it."""
        return f"https://{self.pool.user_pool_provider_name}"
