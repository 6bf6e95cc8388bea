// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop

/// Why a VNC server cannot be had.
public enum VNCError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The text after `-vnc` is not understood: the text, and why.
  case malformed(String, reason: String)
  /// An option after `-vnc` that QEMU has and this server has not.
  case unsupportedOption(String, instead: String)
  /// An option that nobody has.
  case unknownOption(String)
  /// `-k` with a layout that is not there.
  case unknownKeyboardLayout(String)
  /// X's keyboard data does not have the layout, or is not installed.
  case keyboardDataMissing(String)
  /// An address that others can reach, without a password.
  case publicWithoutPassword(address: String)
  /// A name that has no address.
  case unknownHost(String, reason: String)
  /// Somebody else listens there.
  case portInUse(address: String, port: Int, last: Int)
  /// The Unix socket's path is not usable.
  case socketPath(String, reason: String)
  /// The password file cannot be read, or is empty.
  case passwordFile(String, reason: String)
  /// libvncserver cannot be loaded: the loader's words.
  case libraryMissing(String)
  /// A system call failed.
  case host(HostError)

  /// What happened, and what to do about it.
  public var description: String {
    switch self {
    case .malformed(let text, let reason):
      return "cannot understand VNC display '\(text)': \(reason) (examples: ':0', '192.0.2.7:1,password=on', "
        + "'unix:/run/vm.vnc', 'none')"
    case .unsupportedOption(let option, let instead):
      return "the VNC option '\(option)' is not supported; \(instead)"
    case .unknownOption(let option):
      return
        "there is no VNC option '\(option)'; known are password=, password-file=, password-secret=, share=, "
        + "to=, websocket="
    case .unknownKeyboardLayout(let name):
      return "there is no keyboard layout '\(name)'; known are "
        + KeyboardLayoutName.knownNames.joined(separator: ", ")
        + ", and the layouts of /usr/share/X11/xkb/symbols"
    case .keyboardDataMissing(let name):
      return "cannot load keyboard layout '\(name)': is the package 'xkb-data' installed?"
    case .publicWithoutPassword(let address):
      return
        "a VNC server on \(address) could be used by anybody who can reach this host; leave the address out "
        + "(':0') and connect through 'ssh -L 5900:localhost:5900 HOST', or add ',password=on' and set a password"
    case .unknownHost(let name, let reason):
      return "cannot find the address of VNC host '\(name)': \(reason)"
    case .portInUse(let address, let port, let last):
      let tried = last > port ? "ports \(port) to \(last)" : "port \(port)"
      return "VNC \(tried) on \(address) \(last > port ? "are" : "is") already in use; take another display "
        + "number, or add ',to=\(max(last - 5900, 0) + 10)' to take the next free one"
    case .socketPath(let path, let reason):
      return "cannot listen on Unix socket \(path): \(reason)"
    case .passwordFile(let path, let reason):
      return "cannot take the VNC password from \(path): \(reason)"
    case .libraryMissing(let reason):
      return "VNC needs libvncserver (Debian's package 'libvncserver1'), or '-display none': \(reason)"
    case .host(let error):
      return error.description
    }
  }
}
