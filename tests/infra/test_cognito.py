"""Who signs in, and how: the clients of the user pool and its sign-in page."""

from __future__ import annotations

from typing import Any

from tests.support.template import Template, invoked_function, properties_of, resources, synthesize


def console_client(template: Template) -> dict[str, Any]:
    [client] = [
        each
        for each in properties_of(template, "AWS::Cognito::UserPoolClient")
        if each.get("AllowedOAuthFlowsUserPoolClient")
    ]
    properties: dict[str, Any] = client
    return properties


def test_the_console_signs_in_with_a_code_and_no_secret(template: Template) -> None:
    client = console_client(template)

    assert client["GenerateSecret"] is False
    # Not `implicit`: its tokens would be in an address.
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid"]
    assert client["SupportedIdentityProviders"] == ["COGNITO"]
    assert client["EnableTokenRevocation"] is True
    assert client["AccessTokenValidity"] == 60


def test_a_refresh_token_of_the_console_is_good_for_one_use(template: Template) -> None:
    client = console_client(template)

    assert client["RefreshTokenRotation"] == {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}
    # Cognito refuses rotation together with this flow.
    assert "ALLOW_REFRESH_TOKEN_AUTH" not in client["ExplicitAuthFlows"]


def test_it_returns_to_the_console_alone(template: Template) -> None:
    client = console_client(template)
    [api] = resources(template, "AWS::ApiGateway::RestApi")
    own = {
        "Fn::Join": [
            "",
            [
                "https://",
                {"Ref": api},
                ".execute-api.",
                {"Ref": "AWS::Region"},
                ".",
                {"Ref": "AWS::URLSuffix"},
                "/prod/console",
            ],
        ]
    }
    assert client["CallbackURLs"] == [own]
    assert client["LogoutURLs"] == [own]

    named = console_client(synthesize(publicBaseUrl="https://go.example.com"))
    assert named["CallbackURLs"] == ["https://go.example.com/console"]


def test_the_authorizer_accepts_the_tokens_of_both_clients(template: Template) -> None:
    [authorizer] = properties_of(template, "AWS::ApiGateway::Authorizer")
    function = invoked_function(template, authorizer["AuthorizerUri"])
    accepted = function["Environment"]["Variables"]["SESSION_CLIENT_IDS"]
    named = {part["Ref"] for part in accepted["Fn::Join"][1] if isinstance(part, dict)}
    assert named == resources(template, "AWS::Cognito::UserPoolClient").keys()


def test_the_sign_in_page_is_styled_where_it_is_cognitos_own(template: Template) -> None:
    [domain] = properties_of(template, "AWS::Cognito::UserPoolDomain")
    assert domain["ManagedLoginVersion"] == 2
    [style] = properties_of(template, "AWS::Cognito::ManagedLoginBranding")
    assert style["UseCognitoProvidedValues"] is True
    # The emulator has another page.
    assert not resources(synthesize(stage="local"), "AWS::Cognito::ManagedLoginBranding")
