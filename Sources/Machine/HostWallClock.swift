// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import Glibc

/// The host's time of day, in UTC or local time: what a guest's clock shows unless told otherwise.
final class HostWallClock: WallClock {
  private let isLocal: Bool

  init(isLocal: Bool) {
    self.isLocal = isLocal
    if isLocal { tzset() }
  }

  var nanosecondsSinceEpoch: Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    var seconds = Int64(now.tv_sec)
    if isLocal {
      var fields = tm()
      localtime_r(&now.tv_sec, &fields)
      seconds += Int64(fields.tm_gmtoff)
    }
    return seconds * 1_000_000_000 + Int64(now.tv_nsec)
  }
}

/// The wall clock that `-rtc` asks for.
func makeWallClock(_ configuration: RTCConfiguration, clock: Clock) throws -> any WallClock {
  let host = HostWallClock(isLocal: configuration.base == .localTime)
  switch configuration.base {
  case .date(let seconds): return VirtualWallClock(clock: clock, startSeconds: seconds)
  case .utc, .localTime:
    guard configuration.followsGuestTime else { return host }
    return VirtualWallClock(clock: clock, startSeconds: host.nanosecondsSinceEpoch / 1_000_000_000)
  }
}
