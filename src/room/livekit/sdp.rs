//! Which media line of an offer carries which track.
//!
//! The server names them in the message (`mid_to_track_id`); older ones only in the offer's own
//! `a=msid:<stream> <track>` lines, where the track is the track SID.

use std::collections::{BTreeSet, HashMap};

use crate::room::TrackId;

/// The tracks by the `mid` of their media line: as the message names them, and for the rest as
/// the offer does.
#[must_use]
pub fn tracks_by_media_line(
    sdp: &str,
    named: &HashMap<String, String>,
) -> HashMap<String, TrackId> {
    let mut tracks = HashMap::new();
    for section in media_lines(sdp) {
        let (Some(mid), Some(pair)) = (value(section, "a=mid:"), value(section, "a=msid:")) else {
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

/// The synchronisation sources that an offer names for its media lines, by `mid` (RFC 5576:
/// `a=ssrc:<number> <attribute>`). A line that names none is left out.
#[must_use]
pub fn sources_by_media_line(sdp: &str) -> HashMap<String, BTreeSet<u32>> {
    let named = |section| {
        let mid = value(section, "a=mid:")?;
        let sources: BTreeSet<u32> = values(section, "a=ssrc:")
            .filter_map(|source| source.split_whitespace().next()?.parse().ok())
            .collect();
        (!sources.is_empty()).then(|| (mid.to_owned(), sources))
    };
    media_lines(sdp).filter_map(named).collect()
}

/// The media lines, each with the attributes that follow it.
fn media_lines(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.split("\nm=").skip(1)
}

fn value<'a>(section: &'a str, name: &'a str) -> Option<&'a str> {
    values(section, name).next()
}

fn values<'a>(section: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    section
        .lines()
        .filter_map(move |line| line.trim_end().strip_prefix(name))
}

/// The ICE user fragment of an offer. The server has another one when it looks for paths anew
/// (RFC 8445, 9). Media lines are bundled: they have the same.
#[must_use]
pub fn ice_fragment(sdp: &str) -> Option<&str> {
    value(sdp, "a=ice-ufrag:")
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
    fn sources_are_those_of_their_own_line() {
        let offer = "v=0\r\na=ssrc:1 x\r\nm=video 9\r\na=mid:1\r\na=ssrc-group:FID 22 23\r\n\
                     a=ssrc:22 cname:a\r\na=ssrc:22 msid:a b\r\na=ssrc:23 cname:a\r\n\
                     m=audio 9\r\na=mid:2\r\na=inactive\r\na=ssrc:x cname:a\r\n";
        let sources = sources_by_media_line(offer);
        assert_eq!(sources.len(), 1);
        assert_eq!(sources["1"], BTreeSet::from([22, 23]));
    }

    #[test]
    fn the_ice_fragment_is_found_wherever_it_stands() {
        assert_eq!(ice_fragment(OFFER), None);
        let offer = format!("{OFFER}a=ice-ufrag:aBcD\r\na=ice-pwd:x\r\n");
        assert_eq!(ice_fragment(&offer), Some("aBcD"));
    }

    #[test]
    fn rubbish_names_nothing() {
        assert!(sources_by_media_line("\nm=\na=mid:\na=ssrc:\n").is_empty());
        assert!(tracks_by_media_line("\nm=\na=mid:\na=msid:x\n", &HashMap::new()).is_empty());
        assert!(tracks_by_media_line("", &HashMap::new()).is_empty());
    }
}
