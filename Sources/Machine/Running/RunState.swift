// SPDX-License-Identifier: GPL-2.0-or-later

/// What a machine is doing, in QEMU's terms.
public enum RunState: String, Sendable, CaseIterable {
  /// Made, never started.
  case prelaunch
  /// The guest runs and time goes on.
  case running
  /// A person or toolstack stopped it.
  case paused
  /// It stopped because the host could not do an I/O request; going on tries it again.
  case ioError = "io-error"
  /// The engine cannot run the guest any further.
  case internalError = "internal-error"
  /// The guest's kernel has panicked, and the machine was told to stay (`-action panic=pause`).
  case guestPanicked = "guest-panicked"
  /// The guest switched off and the machine was told to stay (`-no-shutdown`).
  case shutdown
}

/// How a machine ended: the exit status, and a sentence if something went wrong.
public struct MachineEnd: Sendable, Equatable {
  /// 0 for a clean end.
  public var status: Int32
  /// What went wrong, for people.
  public var message: String?
  /// An end.
  public init(status: Int32, message: String? = nil) {
    self.status = status
    self.message = message
  }
}
