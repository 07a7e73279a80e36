"""azure-identity and MSAL against our own token endpoint."""

import os
import sys
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import feature as bench
from feature import URL, Door, equal, feature, has, main, raises

import msal
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential

SECRET = os.environ["POSTROOM_SECRET"]
CLIENT = os.environ["POSTROOM_CLIENT_ID"]
SCOPE = f"{URL}/.default"
TENANT = "8c7c0ad5-9b6f-4d3b-9d3e-0d6d4a3c9d11"



def works(token):
    keep, bench.TOKEN = bench.TOKEN, token
    try:
        has(Door().row("WhoAmI"), "UserId")
    finally:
        bench.TOKEN = keep


def app(secret=SECRET, tenant=TENANT):
    return msal.ConfidentialClientApplication(
        CLIENT, client_credential=secret, authority=f"{URL}/{tenant}", instance_discovery=False
    )


@feature("azure-identity: ClientSecretCredential")
def _():
    credential = ClientSecretCredential(
        TENANT, CLIENT, SECRET, authority=URL, disable_instance_discovery=True, additionally_allowed_tenants=["*"]
    )
    works(credential.get_token(SCOPE).token)


@feature("azure-identity: a wrong secret")
def _():
    credential = ClientSecretCredential(TENANT, CLIENT, "wrong", authority=URL, disable_instance_discovery=True)
    has(str(raises(ClientAuthenticationError, lambda: credential.get_token(SCOPE))), "AADSTS7000215")


@feature("msal: client credentials")
def _():
    said = app().acquire_token_for_client([SCOPE])
    works(said["access_token"])
    equal(said["token_type"], "Bearer")
    assert int(said["expires_in"]) > 60, said


@feature("msal: a token is kept until it expires")
def _():
    one = app()
    equal(one.acquire_token_for_client([SCOPE])["token_source"], "identity_provider")
    equal(one.acquire_token_for_client([SCOPE])["token_source"], "cache")


@feature("msal: a tenant by name")
def _():
    works(app(tenant="ours.example").acquire_token_for_client([SCOPE])["access_token"])


@feature("msal: a wrong secret")
def _():
    said = app("wrong").acquire_token_for_client([SCOPE])
    equal(said["error"], "invalid_client")
    equal(said["error_codes"], [7000215])


@feature("OpenID configuration")
def _():
    trust = bench.ssl.create_default_context(cafile=bench.CA)
    address = f"{URL}/{TENANT}/v2.0/.well-known/openid-configuration"
    with bench.urllib.request.urlopen(address, context=trust) as answer:
        told = bench.json.load(answer)
    equal(told["token_endpoint"], f"{URL}/{TENANT}/oauth2/v2.0/token")
    equal(urllib.parse.urlsplit(told["issuer"]).netloc, urllib.parse.urlsplit(URL).netloc)


@feature("an unauthenticated request is told where to sign in")
def _():
    request = bench.urllib.request.Request(f"{URL}/api/data/v9.2/WhoAmI")
    error = raises(
        bench.urllib.error.HTTPError,
        lambda: bench.urllib.request.urlopen(request, context=Door.trust),
    )
    equal(error.code, 401)
    told = error.headers["WWW-Authenticate"]
    has(told, "Bearer authorization_uri=")
    has(told, "resource_id=")


main()
