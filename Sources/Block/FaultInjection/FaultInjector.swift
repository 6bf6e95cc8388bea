// SPDX-License-Identifier: GPL-2.0-or-later

/// A device in front of another that lets requests fail by rules, and holds them at breakpoints until somebody lets them
/// go on: for tests of what a guest does when its disk has errors (`file=blkdebug:RULES:IMAGE`).
public final class FaultInjector: BlockDevice {
  public var byteCount: UInt64 { base.byteCount }
  public var isReadOnly: Bool { base.isReadOnly }
  public var canDiscard: Bool { base.canDiscard }
  public var allocatedByteCount: UInt64? { base.allocatedByteCount }
  public let label: String

  private let base: any BlockDevice
  private var rules: FaultRules
  /// Breakpoints that no request has come to: the event and the tag.
  private var breakpoints: [(event: FaultRules.Event, tag: String)] = []
  /// Requests at breakpoints, with the events still before them.
  private var held: [(request: BlockRequest, tag: String, rest: ArraySlice<FaultRules.Event>)] = []

  /// An injector in front of `base`, with which it is closed.
  public init(over base: any BlockDevice, rules: FaultRules = FaultRules()) {
    self.base = base
    self.rules = rules
    label = base.label
  }

  public func resize(to byteCount: UInt64) throws(BlockError) { try base.resize(to: byteCount) }

  // MARK: Breakpoints

  /// Has the next request that comes by `event` wait there.
  public func addBreakpoint(_ event: FaultRules.Event, tag: String) { breakpoints.append((event, tag)) }

  /// Lets the oldest request that waits at a breakpoint go on.
  /// - Returns: whether there was one.
  public func resume(tag: String) -> Bool {
    guard let index = held.firstIndex(where: { $0.tag == tag }) else { return false }
    let waiting = held.remove(at: index)
    advance(waiting.request, through: waiting.rest)
    return true
  }

  /// Removes the breakpoints with a tag, and lets the requests there go on.
  /// - Returns: whether there were any.
  public func removeBreakpoints(tag: String) -> Bool {
    let before = breakpoints.count
    breakpoints.removeAll { $0.tag == tag }
    var found = breakpoints.count != before
    while resume(tag: tag) { found = true }
    return found
  }

  /// Whether a request waits at a breakpoint.
  public func isHeld(tag: String) -> Bool { held.contains { $0.tag == tag } }

  // MARK: Requests

  public func submit(_ request: BlockRequest) {
    request.isInFlight = true
    advance(request, through: Self.events(of: request)[...])
  }

  private static func events(of request: BlockRequest) -> [FaultRules.Event] {
    switch request.operation {
    case .read: [.read]
    case .write: [.write]
    case .flush: [.flushToOS, .flushToDisk]
    case .discard, .writeZeroes: []
    }
  }

  private func advance(_ request: BlockRequest, through events: ArraySlice<FaultRules.Event>) {
    var rest = events
    while let event = rest.popFirst() {
      if let code = rules.apply(event, to: request) { return request.complete(.failed(code: code)) }
      if let index = breakpoints.firstIndex(where: { $0.event == event }) {
        held.append((request, breakpoints.remove(at: index).tag, rest))
        return
      }
    }
    base.submit(request)
  }

  public func cancel(_ request: BlockRequest) {
    guard let index = held.firstIndex(where: { $0.request === request }) else { return base.cancel(request) }
    held.remove(at: index)
    request.complete(.cancelled)
  }

  /// What waits at a breakpoint goes on: nobody could let it, while this waits.
  public func drain() {
    while let waiting = held.first {
      held.removeFirst()
      advance(waiting.request, through: waiting.rest)
    }
    base.drain()
  }

  public func close() { base.close() }
}
