use super::*;
use crate::config::Config;
use crate::daemon::join;
use crate::daemon::settings::Means;
use crate::governor::{Door, Orders};
use crate::media::{Equipment, EquipmentWatch};
use crate::room::{COMMAND_QUEUE, Limit, Refusal, Refusals, Source};
use crate::storage::Storage;

#[tokio::test]
async fn refused_tracks_are_counted_by_reason() {
    let (_storage, watched) = watch::channel(Storage::default());
    let equipment = EquipmentWatch::known(Equipment::new(Vec::new(), BTreeMap::new()));
    let (_orders, orders) = watch::channel(Orders::default());
    let means = Means {
        storage: watched,
        equipment,
        orders,
        door: Door::open(),
    };
    let settings = join::room_settings(&Config::default(), "h", OnFailure::Stop, &means);
    let (sender, events) = EventSender::channel();
    let (commands, _orders) = mpsc::channel(COMMAND_QUEUE);
    let (progress, _) = watch::channel(RoomProgress::default());
    for limit in [Limit::Tracks, Limit::Participants, Limit::Tracks] {
        let refused = RoomEvent::TrackRefused {
            id: TrackId::new("TR_1"),
            identity: "ann".to_owned(),
            source: Source::Camera,
            refusal: Refusal::Limit(limit),
        };
        sender.tell(refused).await.unwrap();
    }
    drop(sender);
    let stop = CancellationToken::new();
    let totals = follow(settings, events, commands, stop, progress, |_| {}).await;
    let refused = Refusals {
        max_participants: 1,
        max_tracks: 2,
        unrecordable: 0,
    };
    let expected = RoomTotals {
        refused,
        ..RoomTotals::default()
    };
    assert_eq!(totals, expected);
}
