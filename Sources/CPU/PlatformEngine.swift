// SPDX-License-Identifier: GPL-2.0-or-later

import Bus

/// An engine without interrupt controllers and timers of its own: it uses the board's, which follow the machine's clock
/// by themselves.
public protocol PlatformEngine: Engine {
  /// The board's.
  var platform: any InterruptPlatform { get }
}

extension PlatformEngine {
  public var interruptController: any InterruptSink { platform.interruptController }
  public var speakerGate: any SpeakerGate { platform.speakerGate }

  public func resetPlatform() { platform.reset() }
  public func savePlatform() -> PlatformState { platform.save() }

  public func restorePlatform(_ state: PlatformState) throws(EngineError) {
    guard platform.restore(state) else { throw EngineError.damagedPlatform }
  }

  public func clockStarted() {}
  public func clockStopped() {}
  /// Nothing is queued: each write is done at once.
  public var queuesWrites: Bool { false }
  public func drainCoalescedWrites() {}

  public func sendMessage(address: UInt64, data: UInt32) {
    platform.sendMessage(address: address, data: data)
  }
}
