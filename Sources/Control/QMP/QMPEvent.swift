// SPDX-License-Identifier: GPL-2.0-or-later

import Glibc
import JSON

/// An event as `query-qmp-schema` describes it.
struct QMPEventDeclaration: Sendable {
  let name: String
  let data: Structure
}

/// Something that happened, as monitors tell it.
struct QMPEvent {
  let name: String
  var data: [JSONValue.Member] = []
  /// When, as seconds and microseconds since 1970.
  let time: timeval

  init(_ name: String, _ data: [JSONValue.Member] = []) {
    self.name = name
    self.data = data
    var now = timeval()
    gettimeofday(&now, nil)
    time = now
  }

  var message: JSONValue {
    var members: [JSONValue.Member] = [
      .init("timestamp", ["seconds": JSONValue(time.tv_sec), "microseconds": JSONValue(Int(time.tv_usec))]),
      .init("event", .string(name)),
    ]
    if !data.isEmpty { members.append(.init("data", .object(data))) }
    return .object(members)
  }
}
