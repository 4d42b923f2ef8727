use serde_json::json;

use super::account::Account;
use super::failure::Failure;
use super::grant::Origin;
use super::live::Live;

/// Gives a new socket its session: the one that there is, if the server still knows it, or a new one.
/// Not to be dropped, but with the process: a login that was sent and is not waited for leaves a session
/// behind.
pub(super) async fn admit(account: &Account, live: &Live) -> Result<(), Failure> {
    let _turn = account.turn().await;
    if let Some(grant) = account.grant() {
        live.adopt(grant.clone(), Origin::Resumed);
        match live.ask("info", &json!({})).await {
            Err(Failure::Refused { .. }) => account.forget(grant.number),
            other => return other.map(drop),
        }
    }
    let (frame, token) = live.log_in(&account.data()).await?;
    let token = token.ok_or_else(|| Failure::Strange("login".to_owned()))?;
    let grant = account.granted(token, frame.id.is_some());
    // Before the sockets of older sessions end: this one may have used one.
    live.adopt(grant.clone(), Origin::Fresh);
    account.keep(grant);
    // Whether `info` works is what tells later on that the session is still known.
    match live.ask("info", &json!({})).await {
        Err(failure @ Failure::Closed(_)) => Err(failure),
        _ => Ok(()),
    }
}
