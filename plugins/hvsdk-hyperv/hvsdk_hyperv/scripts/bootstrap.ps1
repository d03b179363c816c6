# All that the command line holds: the first line of standard input is the scripts, base64 of gzip of UTF-8.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$packed = New-Object System.IO.MemoryStream (, [Convert]::FromBase64String([Console]::In.ReadLine()))
$gzip = New-Object System.IO.Compression.GZipStream ($packed, [System.IO.Compression.CompressionMode]::Decompress)
$Source = (New-Object System.IO.StreamReader ($gzip, [System.Text.Encoding]::UTF8)).ReadToEnd()
. ([ScriptBlock]::Create($Source))
Start-Server
