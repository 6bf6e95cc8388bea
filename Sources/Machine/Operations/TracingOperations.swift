// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// Messages about what the guest does. Called with the machine's lock held.
extension Machine {
  /// A category of messages.
  public struct TraceFacts: Sendable, Equatable {
    public let name: String
    public let isOn: Bool
  }

  private var traceCategories: [TraceCategory] {
    board.devices.flatMap { $0.traceCategories } + [board.pci.trace] + board.engine.traceCategories
  }

  /// The categories that can be turned on and off while the machine runs, in the order of their names.
  public var tracing: [TraceFacts] {
    var states: [String: Bool] = [:]
    for category in traceCategories { states[category.name, default: false] = category.isOn }
    return states.sorted { $0.key < $1.key }.map { TraceFacts(name: $0.key, isOn: $0.value) }
  }

  /// Turns messages of a category on or off.
  /// - Returns: false if there is no such category.
  public func setTracing(_ name: String, isOn: Bool) -> Bool {
    let matching = traceCategories.filter { $0.name == name }
    let log = self.log
    // An engine looks at its own categories without the lock.
    parkCPUs()
    defer { if state == .running { letCPUsGoOn() } }
    for category in matching {
      category.send(to: isOn ? { log.message("\($0): \($1)") } : nil)
    }
    return !matching.isEmpty
  }
}
