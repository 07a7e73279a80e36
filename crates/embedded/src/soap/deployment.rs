//! Where the server stands, as its description says it: how a client has to sign in (protocol-annex.md 1.2).

/// A kind of deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Deployment {
    /// The description says nothing; tokens and passwords go in HTTP's own headers.
    #[default]
    None,
    /// On premises: Windows accounts.
    ActiveDirectory,
    /// On premises behind claims: AD FS or another issuer of tokens.
    Federation {
        /// The issuer's name, such as `http://sts.example.com/adfs/services/trust`.
        issuer: String,
    },
    /// Online.
    Online {
        /// For whom a token must be, such as `urn:crmna:dynamics.com`.
        applies_to: String,
        /// The access control service, such as `https://dynamicscrmna.accesscontrol.windows.net/`.
        issuer: String,
        /// Where tokens are asked for, such as `https://login.microsoftonline.com/RST2.srf`.
        endpoint: String,
    },
}
