"""The user pool: users of the console and other first-party clients."""

from typing import Any

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.settings import Settings


class Users(Construct):
    """A user pool and its clients. Membership in a workspace is kept in `access`, not here."""

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
            removal_policy=RemovalPolicy[settings.removal_policy],
        )
        self.client = self._client(
            "Client",
            auth_flows=cognito.AuthFlow(
                user_srp=True,
                # Needs AWS credentials with permission for it: for operators' scripts and tests.
                admin_user_password=True,
            ),
            disable_o_auth=True,
            refresh_token_validity=Duration.days(30),
        )

        #: The client of the web console: authorization code with PKCE, on the pool's sign-in page.
        self.console_client = self._client(
            "ConsoleClient",
            auth_flows=cognito.AuthFlow(user_srp=True),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID],
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            refresh_token_validity=Duration.days(1),
            # A refresh token can be used once; a lost response can be requested again for this
            # long.
            refresh_token_rotation_grace_period=Duration.seconds(10),
        )
        self.domain = self.pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(
                # Unique in the region, across all accounts.
                domain_prefix=f"unlink-{settings.stage}-{Aws.ACCOUNT_ID}"
            ),
            managed_login_version=cognito.ManagedLoginVersion.NEWER_MANAGED_LOGIN,
        )
        if settings.managed_login_style:
            cognito.CfnManagedLoginBranding(
                self,
                "Style",
                user_pool_id=self.pool.user_pool_id,
                client_id=self.console_client.user_pool_client_id,
                # Without a style the managed login responds with an error.
                use_cognito_provided_values=True,
            )

    def _client(self, construct_id: str, **options: Any) -> cognito.UserPoolClient:
        return self.pool.add_client(
            construct_id,
            # Clients run in browsers and on phones, where a secret cannot be kept.
            generate_secret=False,
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            # A token cannot be revoked, so its lifetime is short.
            access_token_validity=Duration.hours(1),
            id_token_validity=Duration.hours(1),
            **options,
        )

    def allow_console(self, address: str) -> None:
        """Let the console client return to `address` after signing in and out.

        Set after the API is created: the address contains the API's id, and the functions need the
        client's id.
        """
        client: Any = self.console_client.node.default_child
        client.callback_ur_ls = [address]
        client.logout_ur_ls = [address]

    @property
    def issuer(self) -> str:
        """The `iss` of the pool's tokens; its keys are under it."""
        return f"https://{self.pool.user_pool_provider_name}"
