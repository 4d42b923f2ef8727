use super::{Notification, Store};
use crate::contractor::reply::{Refusal, Reply};

impl Store {
    /// `POST /notification/readAll`: how many became read.
    pub(in crate::contractor) fn read_all_notifications(&mut self, user: i64) -> Reply {
        let own = self.notifications.values_mut();
        let unread: Vec<_> = own.filter(|one| one.user == user && !one.is_read).collect();
        let count = i64::try_from(unread.len()).unwrap_or(i64::MAX);
        for notification in unread {
            notification.is_read = true;
        }
        let mut reply = Reply::wrote(user, &count);
        reply.effect = reply.effect.filter(|_| count > 0);
        reply
    }

    /// `POST /notification/{id}/read`: its id.
    pub(in crate::contractor) fn read_notification(
        &mut self,
        id: i64,
        user: i64,
    ) -> Result<Reply, Refusal> {
        let found = self.notifications.get_mut(&id);
        let notification = found.ok_or(Refusal::error(404, 1))?;
        if notification.user != user {
            return Err(Refusal::error(403, 0));
        }
        let mut reply = Reply::wrote(id, &id);
        reply.effect = reply.effect.filter(|_| !notification.is_read);
        notification.is_read = true;
        Ok(reply)
    }

    pub(super) fn notify(&mut self, user: i64) {
        let id = self.new_id("notification");
        self.notifications.insert(id, Notification { user, is_read: false });
    }
}
