// SPDX-License-Identifier: GPL-2.0-or-later

import Bus
import CharacterDevice
import VNC

/// Something that monitors tell their clients. Told with the machine's lock held, on any thread.
public enum MachineEvent: Sendable {
  /// Who or what made the machine end or start anew, in QEMU's words.
  public enum Cause: String, Sendable, CaseIterable {
    case none
    case hostError = "host-error"
    case hostQuit = "host-qmp-quit"
    case hostReset = "host-qmp-system-reset"
    case hostSignal = "host-signal"
    case hostUI = "host-ui"
    case guestShutdown = "guest-shutdown"
    case guestReset = "guest-reset"
    case guestPanic = "guest-panic"
    case subsystemReset = "subsystem-reset"
    case snapshotLoad = "snapshot-load"

    /// Whether the guest did it.
    public var isGuest: Bool { [.guestShutdown, .guestReset, .guestPanic].contains(self) }
  }

  /// The machine has ended, or would have (`-no-shutdown`).
  case shutdown(Cause)
  /// Somebody pressed the power button.
  case powerDown
  case reset(Cause)
  case stop
  case resume
  /// The guest set its clock; it is now so many seconds ahead of the host's.
  case clockChanged(offset: Int64)
  /// A tray was opened or closed, by the guest or from outside.
  case trayMoved(drive: String, deviceID: String?, isOpen: Bool)
  /// A device was pulled out.
  case deviceRemoved(id: String?, name: String)
  /// The guest says that it has crashed; what the machine does about it.
  case crashed(CrashReport, then: CrashAction)
  /// Somebody is at the other end of a network's stream socket, or nobody any more (nil).
  case networkStream(id: String, SocketSettings.Address?)
  /// Which frames a network card lets in has changed for the first time since somebody asked. `id` is the card's `id=`.
  case receiveFilterChanged(card: String, id: String?)
  /// A viewer of the screen came or went.
  case viewer(ViewerFacts, ViewerEvent)
  /// The host could not do what a drive was asked.
  case blockError(drive: String, isRead: Bool, action: BlockErrorAction, isNoSpace: Bool, reason: String)

  /// What a guest's crash leads to, in QEMU's words.
  public enum CrashAction: String, Sendable, CaseIterable {
    case pause
    case powerOff = "poweroff"
    case run
  }

  /// What the drive's policy made of an error.
  public enum BlockErrorAction: String, Sendable {
    case ignore
    case report
    case stop
  }
}
