// Publishes files to LiveKit rooms by LiveKit's Go SDK: what libwebrtc cannot encode (H.265), sound
// in two channels, or more rooms than a machine can encode for. A file is sent from its beginning,
// as if it were captured now: pictures as H.264 or H.265 (.h264, .h265: Annex B, one slice a picture
// in H.264) or VP8 (.ivf), sound as Opus (.ogg).
//
// The tokens come in LIVEKIT_TOKEN, separated by spaces; each joins its room and publishes all
// files. Lines on stdout: `published` when all tracks are, `finished` when all files have been sent.
// SIGTERM, or the end of the files, leaves the rooms in good order.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("url", "", "where the server listens")
	fps := flag.Int("fps", 30, "pictures a second of H.265 and VP8")
	loop := flag.Bool("loop", false, "begin pictures of .h264 and .h265 anew at their end")
	flag.Parse()
	files := flag.Args()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	tokens := strings.Fields(os.Getenv("LIVEKIT_TOKEN"))
	gone := make(chan struct{}, len(tokens))
	sent := make(chan string, len(tokens)*len(files))
	for _, token := range tokens {
		callback := &lksdk.RoomCallback{OnDisconnected: func() { gone <- struct{}{} }}
		room, err := lksdk.ConnectToRoomWithToken(*url, token, callback, lksdk.WithAutoSubscribe(false))
		if err != nil {
			return err
		}
		defer room.Disconnect()
		for _, file := range files {
			if err := publish(room, file, *fps, *loop, func() { sent <- file }); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	fmt.Println("published")
	for range cap(sent) {
		select {
		case <-sent:
		case <-stop:
			return nil
		case <-gone:
			return nil
		}
	}
	fmt.Println("finished")
	return nil
}

func publish(room *lksdk.Room, file string, fps int, loop bool, done func()) error {
	options := []lksdk.ReaderSampleProviderOption{lksdk.ReaderTrackWithOnWriteComplete(done)}
	published := lksdk.TrackPublicationOptions{Source: livekit.TrackSource_CAMERA}
	paced := lksdk.ReaderTrackWithFrameDuration(time.Second / time.Duration(fps))
	mime := ""
	switch filepath.Ext(file) {
	case ".h264":
		// The SDK's own 33 ms a picture: another duration it would also give to parameter sets.
		mime = webrtc.MimeTypeH264
	case ".h265":
		mime = webrtc.MimeTypeH265
		options = append(options, paced)
	case ".ivf":
		// By the stamps in the file the SDK would send one picture in many seconds.
		options = append(options, paced)
	case ".ogg":
		published = lksdk.TrackPublicationOptions{Source: livekit.TrackSource_MICROPHONE, Stereo: true}
	}
	track, err := open(file, mime, loop, options)
	if err != nil {
		return err
	}
	_, err = room.LocalParticipant.PublishTrack(track, &published)
	return err
}

func open(file, mime string, loop bool, options []lksdk.ReaderSampleProviderOption) (*lksdk.LocalTrack, error) {
	if !loop || mime == "" {
		return lksdk.NewLocalFileTrack(file, options...)
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	return lksdk.NewLocalReaderTrack(&endless{opened}, mime, options...)
}

// endless begins a file anew at its end: byte streams go on from one into the other.
type endless struct{ *os.File }

func (e *endless) Read(buffer []byte) (int, error) {
	read, err := e.File.Read(buffer)
	if read > 0 || !errors.Is(err, io.EOF) {
		return read, err
	}
	if _, err := e.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return e.File.Read(buffer)
}
