# Installs serial-ws for the current user, on Windows: downloads the release for this computer,
# compares it with its published checksum, puts the program where Windows keeps programs of one user,
# and adds that folder to your Path.
#
#   irm https://github.com/serial-ws/serial-ws/releases/latest/download/install.ps1 | iex
#
# Variables: SERIAL_WS_VERSION (0.1.0; the latest), SERIAL_WS_BIN
# (%LOCALAPPDATA%\Programs\serial-ws), and SERIAL_WS_DOWNLOAD, another address where a release's
# files are.

# In a block of its own, so that half a download does nothing and the shell keeps its settings.
& {
  $ErrorActionPreference = 'Stop'
  # The progress bar of Windows' own PowerShell slows a download down to a crawl.
  $ProgressPreference = 'SilentlyContinue'
  # Windows' own PowerShell offers old versions of TLS only, unless told.
  [Net.ServicePointManager]::SecurityProtocol =
    [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

  $repository = 'https://github.com/serial-ws/serial-ws'
  $from = "$repository/releases/latest/download"
  if ($env:SERIAL_WS_VERSION) { $from = "$repository/releases/download/v$env:SERIAL_WS_VERSION" }
  if ($env:SERIAL_WS_DOWNLOAD) { $from = $env:SERIAL_WS_DOWNLOAD }
  $bin = "$env:LOCALAPPDATA\Programs\serial-ws"
  if ($env:SERIAL_WS_BIN) { $bin = $env:SERIAL_WS_BIN }

  # A shell of another architecture is told the true one by the second variable.
  $machine = $env:PROCESSOR_ARCHITECTURE
  if ($env:PROCESSOR_ARCHITEW6432) { $machine = $env:PROCESSOR_ARCHITEW6432 }
  switch ($machine) {
    'AMD64' { $target = 'x86_64-pc-windows-msvc' }
    'ARM64' { $target = 'aarch64-pc-windows-msvc' }
    default { throw "There is no release for Windows on $machine. To build it here: cargo install serial-ws" }
  }

  $folder = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
  New-Item -ItemType Directory $folder | Out-Null
  try {
    $archive = "serial-ws-$target.zip"
    Write-Host "serial-ws: downloading $from/$archive"
    Invoke-WebRequest -UseBasicParsing "$from/$archive" -OutFile "$folder\$archive"
    Invoke-WebRequest -UseBasicParsing "$from/SHA256SUMS" -OutFile "$folder\SHA256SUMS"

    $line = Get-Content "$folder\SHA256SUMS" | Where-Object { $_.EndsWith("  $archive") }
    if (-not $line) { throw "SHA256SUMS does not name $archive. Nothing was installed" }
    $expected = $line.Split(' ')[0]
    $found = (Get-FileHash -Algorithm SHA256 "$folder\$archive").Hash
    if ($found -ne $expected) {
      throw "The checksum of $archive is wrong: $found instead of $expected. Nothing was installed"
    }

    Expand-Archive "$folder\$archive" $folder
    $program = "$folder\serial-ws-$target\serial-ws.exe"
    $version = & $program -V
    if ($LASTEXITCODE -ne 0) { throw 'The program does not run on this system' }

    New-Item -ItemType Directory -Force $bin | Out-Null
    try {
      Move-Item -Force $program "$bin\serial-ws.exe"
    } catch {
      throw "Cannot write $bin\serial-ws.exe. Stop serial-ws if it runs, and try again: $_"
    }
    Write-Host "serial-ws: installed $version as $bin\serial-ws.exe; to remove it, delete that file"
  } finally {
    Remove-Item -Recurse -Force $folder
  }

  # Entries such as %JAVA_HOME%\bin must stay as they are, which the usual way would not leave them.
  $key = Get-Item HKCU:\Environment
  $path = $key.GetValue('Path', '', 'DoNotExpandEnvironmentNames')
  if (($path -split ';') -notcontains $bin) {
    $longer = (@($path -split ';') + $bin | Where-Object { $_ }) -join ';'
    Set-ItemProperty HKCU:\Environment Path $longer -Type ExpandString
    # Tells the programs that run, as setting any variable does.
    [Environment]::SetEnvironmentVariable('serial-ws-installer', 'x', 'User')
    [Environment]::SetEnvironmentVariable('serial-ws-installer', $null, 'User')
    Write-Host "serial-ws: added $bin to your Path, for windows that are opened from now on"
    $env:Path += ";$bin"
  }
  Write-Host 'serial-ws: try: serial-ws sim --open'
}
