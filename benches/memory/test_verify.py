"""Whether each promise can be found broken. Run by scripts/test."""

import tempfile
import unittest
from pathlib import Path

import names
import promises

KEPT = (
    "12:00:00.000Z  INFO reeld::daemon::governing: buffer stats name=\"hand-over\" unit=\"bytes\" "
    "depth=10 high_water=40 limit=100 dropped=0 count=1\n"
)
IN_JOURNAL = 'buffer stats message="buffer stats" name="mux" depth="1" high_water="2" limit="8"\n'


def manifest(dropped=0, gaps=(), omitted=0):
    return {
        "totals": {
            "received": {"video": 600, "audio": 400},
            "drops": {"backpressure": {"video": dropped}},
        },
        "gaps": [{"duration_ms": gap} for gap in gaps],
        "gaps_omitted": omitted,
    }


class Queues(unittest.TestCase):
    def test_those_within_their_limits_pass_and_the_fullest_is_named(self):
        kept, figure = promises.queues(KEPT + IN_JOURNAL)
        self.assertTrue(kept)
        self.assertIn("2 queues, the fullest was hand-over at 40%", figure)

    def test_one_above_its_limit_fails(self):
        broken = [("depth=10", "depth=101"), ("high_water=40", "high_water=101")]
        for well, wrong in [*broken, ("limit=100", "limit=0")]:
            self.assertFalse(promises.queues(KEPT.replace(well, wrong))[0], wrong)

    def test_one_without_a_limit_fails(self):
        self.assertFalse(promises.queues(KEPT.replace("limit=100", ""))[0])

    def test_a_log_that_tells_nothing_fails(self):
        self.assertFalse(promises.queues("12:00:00.000Z  INFO reeld: joined\n")[0])

    def test_colours_are_no_matter(self):
        coloured = KEPT.replace("name=", "\x1b[3mname\x1b[0m\x1b[2m=\x1b[0m")
        self.assertTrue(promises.queues(coloured)[0])


class Manifests(unittest.TestCase):
    def test_drops(self):
        self.assertTrue(promises.drops([manifest(dropped=49)])[0])
        self.assertFalse(promises.drops([manifest(dropped=50)])[0])
        self.assertFalse(promises.drops([])[0])

    def test_gaps(self):
        self.assertTrue(promises.long_gaps([manifest(gaps=[500, 2000])])[0])
        self.assertFalse(promises.long_gaps([manifest(gaps=[500, 2001])])[0])
        self.assertFalse(promises.long_gaps([manifest(omitted=1)])[0])


class Memory(unittest.TestCase):
    def test_growth(self):
        for grows, kept in ((0, True), (2_000_000, False)):
            samples = [
                {"seconds": at, "rss": 3e7 + grows * at / 120, "anonymous": 6e6}
                for at in range(120)
            ]
            self.assertEqual(promises.flat(samples, 120)[0], kept)


class Names(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = Path(place.name)
        self.files = names.Files(self.root)
        self.open = self.root / "00000.recording.ts"
        self.done = self.root / "00000.ts"
        self.write(self.open, 188)
        self.files.look(0.0)

    def write(self, file, size):
        file.write_bytes(bytes(size))

    def test_a_file_that_is_renamed_when_it_is_complete(self):
        self.write(self.open, 376)
        self.files.look(1.0)
        self.open.rename(self.done)
        self.files.look(2.0)
        self.files.look(3.0)
        self.assertEqual((self.files.wrong, self.files.renamed), ([], 1))
        self.assertEqual(self.files.longest, 1.0)

    def test_a_file_that_stands_still(self):
        self.files.look(5.0)
        self.assertEqual(self.files.stalled(6.0), 6.0)

    def test_a_copy_is_no_rename(self):
        self.write(self.done, 188)
        self.files.look(1.0)
        self.assertTrue(self.files.wrong)

    def test_a_file_that_changes_behind_its_rename(self):
        self.open.rename(self.done)
        self.files.look(1.0)
        self.write(self.done, 376)
        self.files.look(2.0)
        self.assertTrue(self.files.wrong)

    def test_another_name_than_its_own(self):
        self.open.rename(self.root / "00001.ts")
        self.files.look(1.0)
        self.assertTrue(self.files.wrong)


class Sound(unittest.TestCase):
    def test_no_file_at_all_is_not_sound(self):
        self.assertFalse(promises.playable([])[0])


if __name__ == "__main__":
    unittest.main()
