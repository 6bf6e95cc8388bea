// SPDX-License-Identifier: GPL-2.0-or-later

import Synchronization

/// Guest time that follows the instructions executed: a run can be repeated exactly, whatever the host is
/// doing.
///
/// The engine tells how many instructions there were and fires the timers between two of them; while all
/// processors are halted it moves the time to the next deadline.
public final class InstructionClock: MachineClock {
  /// An instruction takes 2 to the power of this in nanoseconds.
  public let shift: UInt64
  /// Whether the host's time passes while all processors are halted; if not, the next deadline comes at once.
  public let sleepsWhenIdle: Bool
  /// Called when the earliest deadline changed; set once, by the engine.
  public var onDeadlineChange: (() -> Void)?
  private let instructions = Atomic<UInt64>(0)
  /// Nanoseconds that passed without instructions.
  private let idle = Atomic<UInt64>(0)

  /// A clock at zero; `shift` is at most 10, which is about a million instructions a second.
  public init(shift: Int, sleepsWhenIdle: Bool = true) {
    self.shift = UInt64(min(max(shift, 0), 10))
    self.sleepsWhenIdle = sleepsWhenIdle
    super.init()
  }

  public override var now: Nanoseconds {
    idle.load(ordering: .relaxed) &+ instructions.load(ordering: .relaxed) << shift
  }

  public override func nextDeadlineChanged(to deadline: Nanoseconds?) { onDeadlineChange?() }

  /// The instructions executed so far.
  public var executed: UInt64 {
    get { instructions.load(ordering: .relaxed) }
    set { instructions.store(newValue, ordering: .relaxed) }
  }

  /// Lets time pass without instructions.
  public func pass(_ nanoseconds: Nanoseconds) { idle.wrappingAdd(nanoseconds, ordering: .relaxed) }

  public override func set(_ time: Nanoseconds) {
    idle.store(time &- executed << shift, ordering: .relaxed)
  }
}
