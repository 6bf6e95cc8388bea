// SPDX-License-Identifier: GPL-2.0-or-later

/// What `-vnc` asks for.
public struct VNCConfiguration: Equatable, Sendable {
  /// Where viewers connect.
  public enum Address: Equatable, Sendable {
    /// A TCP port. Without a host: loopback, IPv4 and IPv6. Port 0 takes a free one.
    case tcp(host: String?, port: Int)
    /// A Unix socket, which only this user can use.
    case unix(path: String)
    /// A socket that another process opened: one that listens, or one that is connected to a viewer.
    case descriptor(Int32)
  }

  /// What happens when a viewer asks to be the only one.
  public enum Sharing: String, Equatable, Sendable, CaseIterable {
    /// It is: the others are disconnected, as the protocol has it.
    case allowExclusive = "allow-exclusive"
    /// It is refused while there are others.
    case forceShared = "force-shared"
    /// Nobody listens to it.
    case ignore
  }

  /// Where the browser console listens, if anywhere. Without a host, the VNC server's own.
  public struct WebSocket: Equatable, Sendable {
    /// The host, if another than the VNC server's.
    public var host: String?
    /// The port; nil: 5700 plus the display number. Port 0 takes a free one.
    public var port: Int?
    /// Listens on `host`, `port`.
    public init(host: String? = nil, port: Int? = nil) { (self.host, self.port) = (host, port) }
  }

  /// Where viewers connect.
  public var address: Address
  /// The last TCP port to try if the one asked for is in use.
  public var lastPort: Int?
  /// Whether viewers need a password. As long as none is set, nobody gets in.
  public var needsPassword = false
  /// A file whose first line is the password.
  public var passwordFile: String?
  /// The id of a secret object that holds the password. Whoever knows the objects sets it.
  public var passwordSecret: String?
  /// What happens when a viewer asks to be the only one.
  public var sharing = Sharing.allowExclusive
  /// Where the browser console listens, if anywhere.
  public var webSocket: WebSocket?
  /// Where noVNC's files are.
  public var browserFiles = "/usr/share/novnc"
  /// The guest's keyboard layout, for viewers that send symbols rather than keys (`-k`).
  public var keyboardLayout = KeyboardLayoutName.us
  /// The number of viewers at the same time; more are refused.
  public var maximumViewers = 32
  /// How long a viewer may take no data before it is disconnected, in seconds.
  public var stallSeconds = 30

  /// A server without password at `address`.
  public init(address: Address) { self.address = address }
}
