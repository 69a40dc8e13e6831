//! Which media line of an offer carries which track.
//!
//! The server names them in the message (`mid_to_track_id`); older ones only in the offer's own
//! `a=msid:<stream> <track>` lines, where the track is the track SID.

use std::collections::HashMap;

use crate::room::TrackId;

/// The tracks by the `mid` of their media line: as the message names them, and for the rest as
/// the offer does.
#[must_use]
pub fn tracks_by_media_line(
    sdp: &str,
    named: &HashMap<String, String>,
) -> HashMap<String, TrackId> {
    let mut tracks = HashMap::new();
    for section in sdp.split("\nm=").skip(1) {
        let attribute = |name: &str| {
            section
                .lines()
                .find_map(|line| line.trim_end().strip_prefix(name))
        };
        let (Some(mid), Some(pair)) = (attribute("a=mid:"), attribute("a=msid:")) else {
            continue;
        };
        if let Some(track) = pair.split_whitespace().nth(1) {
            tracks.insert(mid.to_owned(), TrackId::new(track));
        }
    }
    for (mid, track) in named {
        tracks.insert(mid.clone(), TrackId::new(track));
    }
    tracks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\nm=video 9 UDP/TLS/RTP/SAVPF 125\r\na=mid:1\r\na=msid:PA_a|TR_v TR_v\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:PA_a|TR_a TR_a\r\na=mid:2\r\n";

    #[test]
    fn the_offers_own_lines_name_the_tracks() {
        let tracks = tracks_by_media_line(OFFER, &HashMap::new());
        assert_eq!(tracks.len(), 2);
        assert_eq!(tracks["1"].as_str(), "TR_v");
        assert_eq!(tracks["2"].as_str(), "TR_a");
    }

    #[test]
    fn the_message_has_the_last_word() {
        let named = HashMap::from([("1".to_owned(), "TR_new".to_owned())]);
        let tracks = tracks_by_media_line(OFFER, &named);
        assert_eq!(tracks["1"].as_str(), "TR_new");
        assert_eq!(tracks["2"].as_str(), "TR_a");
    }

    proptest! {
        #[test]
        fn any_offer_is_read(
            lines in prop::collection::vec(
                "(m=|\\nm=|a=mid:|a=msid:|a=|)[ -~é\\r]{0,12}",
                0..30,
            ),
            named in prop::collection::hash_map("[0-9a-z]{0,3}", "[ -~é]{0,8}", 0..4),
        ) {
            let sdp = lines.join("\n");
            let tracks = tracks_by_media_line(&sdp, &named);
            prop_assert!(tracks.len() <= lines.len() * 2 + named.len());
            for (mid, track) in named {
                prop_assert_eq!(tracks[&mid].as_str(), track);
            }
        }
    }

    #[test]
    fn rubbish_names_nothing() {
        assert!(tracks_by_media_line("\nm=\na=mid:\na=msid:x\n", &HashMap::new()).is_empty());
        assert!(tracks_by_media_line("", &HashMap::new()).is_empty());
    }
}
